"""Whom and what the examples are about: one visitor's dealings with the sample documents."""

TASK = "019ab3c4-7d10-7c2e-9a55-3f60c1d28e41"
BATCH = "019ab3c4-66b1-7c90-b2e8-1f7d3a5c9e24"
QUESTION_TASK = "019ab3c5-02f8-7b1d-8c3a-54e7a90b6d12"
DOCUMENT = "019ab3c4-7d0e-7f93-b1c8-6a2d4e8f7053"
VERSION = "019ab3c4-7d0f-7a64-8e21-0c9b5d3f1a76"
CHUNK = "8d0f6c1e-2b7a-5e43-9c58-71a4d2e6f390"
REQUEST = "4b1d7c0e9a2f4f6d8c3b5a7e1f9d0c62"
CURSOR = "MDE5YWIzYzQtN2QwZS03ZjkzLWIxYzgtNmEyZDRlOGY3MDUz"
WEBHOOK = "019ab3c4-51aa-7e02-a4d7-9b3c6e1f2058"
DELIVERY = "019ab3c4-84f3-7b6d-9c10-2e5a7f4d8b31"
SPACE = "019ab3c0-1f4e-7d63-a2b5-8c7f0e9d4a21"
CONVERSATION = "019ab3c6-10aa-7d35-8e1b-7f2c4a6d9b03"
MESSAGE = "019ab3c6-4b7e-7c19-a2d0-5e8f1b3c7a46"
RECEIVER = "https://example.com/flotilla"
EVENT = "1795166131842-0/vectorstore.index/chunks/12"
BEGAN, ENDED = "2026-11-20T09:30:00Z", "2026-11-20T09:30:02Z"
FILE = "terms-of-use.pdf"
METADATA = {"year": 2026, "kind": "terms"}
QUESTION = "How old do I have to be for a test drive?"
QUOTE = (
    "Test drives are open to drivers who are at least 23 years old and have held a full licence "
    "for two\nyears or longer."
)
TEXT = f"3.1 Who may drive\n{QUOTE}"
START = 2716  # of the passage in the document's text, in characters
HEADINGS = ["3. Test drives", "3.1 Who may drive"]
STANDS = {"page_start": 3, "page_end": 3, "heading_path": HEADINGS}
ANSWER_EVENT = f"{QUESTION_TASK}:3"
