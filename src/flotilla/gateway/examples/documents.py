"""Examples of documents, their chunks and pages, and collections."""

from typing import Any

from flotilla.gateway.examples.subjects import (
    BATCH,
    BEGAN,
    CHUNK,
    CURSOR,
    DOCUMENT,
    ENDED,
    FILE,
    HEADINGS,
    METADATA,
    STANDS,
    START,
    TASK,
    TEXT,
    VERSION,
)
from flotilla.gateway.examples.tasks import ENDED_TASK

_chunk = {
    "chunk_id": CHUNK,
    "position": 6,
    "text": TEXT,
    **STANDS,
    "start": START,
    "end": START + len(TEXT),
    "tokens": 31,
    "data_type": "text",
    "html": None,
    "box": None,
    "context": "Terms of use",
}
_page = {
    "page": 3,
    "number": 3,
    "characters": 1204,
    "start": START - 20,
    "end": START + 1184,
}
_page_heading = {"start": START, "level": 2, "title": HEADINGS[1]}
_note = {
    "code": "scanned_pages",
    "message": "These pages look scanned, and what is written on them was not read: install the "
    "extra `ocr` on the document fleet, or send the document with its text.",
    "pages": "3,7-9",
}
_document = {
    "document_id": DOCUMENT,
    "name": FILE,
    "collection": "default",
    "status": "ready",
    "content_type": "application/pdf",
    "size": 24040,
    "title": "Terms of use",
    "sha256": "9f64335fe26f6f15ddb800d613b0a8f54b907664839baeed587088960f586235",
    "pages": 7,
    "converter": "pdfium",
    "chunks": 18,
    "version": 1,
    "metadata": METADATA,
    "task_id": TASK,
    "created_at": BEGAN,
    "updated_at": ENDED,
}
_accepted = {"document_id": DOCUMENT, "task_id": TASK, "name": FILE, "status": "pending"}
_collection = {
    "name": "contracts",
    "description": "Terms of use and delivery of Saltmarsh Lane Motors",
    "documents": 2,
    "chunks": 25,
    "created_at": BEGAN,
}

SCHEMAS: dict[str, Any] = {
    "Document": _document,
    "TaskNote": _note,
    "DocumentState": {"document_id": DOCUMENT, "status": "ready", "task": ENDED_TASK},
    "DocumentAccepted": _accepted,
    "DocumentsAccepted": {"documents": [_accepted], "batch_id": BATCH},
    "DocumentChunk": _chunk,
    "PageEntry": _page,
    "PageHeading": _page_heading,
    "DocumentPage": {
        **_page,
        "document_id": DOCUMENT,
        "version_id": VERSION,
        "pages": 7,
        "text": TEXT,
        "start": START,
        "end": START + len(TEXT),
        "next_start": START + len(TEXT),
        "headings": [_page_heading],
    },
    "Listing_PageEntry_": {"items": [_page], "next_cursor": "Mw"},
    "Listing_Document_": {"items": [_document], "next_cursor": CURSOR},
    "Listing_DocumentChunk_": {"items": [_chunk], "next_cursor": "Nw"},
    "PipelineRequest": {
        "text": "On the Saturday of the regatta the showroom closes at 13:00.",
        "name": "regatta.txt",
        "collection": "default",
        "metadata": {"year": 2026, "kind": "notice"},
    },
    "CollectionRequest": {
        "name": "contracts",
        "description": "Terms of use and delivery of Saltmarsh Lane Motors",
    },
    "Collection": _collection,
    "Listing_Collection_": {"items": [_collection], "next_cursor": None},
}
