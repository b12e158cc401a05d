"""Collections: make, list, look at, delete."""

from fastapi import APIRouter
from sqlalchemy import Connection

from flotilla.gateway import examples, problems
from flotilla.gateway.dependencies import CallbackDep, PartDep, ServicesDep, TenantDep
from flotilla.gateway.removals import start_removal
from flotilla.ledger import collections, endings, reindexing, removals
from flotilla.ledger.database import now
from flotilla.schemas import Collection, CollectionRequest, Listing, TaskAccepted

router = APIRouter(prefix="/collections", tags=["collections"])

MEMBERS_SECONDS = 1.0
"""For which a request writes a re-indexing's members; the reaper writes the rest."""


@router.get(
    "", summary="List collections by name", responses=problems.responses(examples.BAD_PARAMETER)
)
async def list_collections(
    services: ServicesDep, tenant: TenantDep, part: PartDep
) -> Listing[Collection]:
    items = await services.read(collections.listing, tenant, after=part.after, limit=part.wanted)
    return part.listing(items, lambda item: item.name)


@router.post(
    "",
    status_code=201,
    summary="Make a collection",
    responses=problems.responses(
        examples.COLLECTION_THERE, examples.BODY_TOO_LARGE, examples.BAD_FIELD
    ),
)
async def create_collection(
    body: CollectionRequest, services: ServicesDep, tenant: TenantDep
) -> Collection:
    return await services.write(collections.create, tenant, body.name, body.description)


@router.get(
    "/{name}",
    summary="Look at a collection",
    responses=problems.responses(examples.NO_COLLECTION_HERE),
)
async def get_collection(name: str, services: ServicesDep, tenant: TenantDep) -> Collection:
    return await services.read(collections.view, tenant, name)


@router.post(
    "/{name}/reindex",
    status_code=202,
    summary="Index a collection anew",
    responses=problems.responses(
        examples.NO_COLLECTION_HERE, examples.PRIVATE_CALLBACK, examples.FULL
    ),
)
async def reindex_collection(
    name: str, services: ServicesDep, tenant: TenantDep, callback_url: CallbackDep
) -> TaskAccepted:
    """A batch of which each member indexes one document anew; all of them go on answering.

    The members of a large collection are written in the background. While a batch of this
    collection is on its way, the reply names that one, whose own `callback_url` is told alone.
    """
    batch_id = await services.write(reindexing.reindex_collection, tenant, name, callback_url)

    def begin() -> None:
        reindexing.write_members(services.database, batch_id, MEMBERS_SECONDS)
        endings.tell_batch(services.database, batch_id)

    await services.after_commit(begin)
    await services.release()
    return TaskAccepted(task_id=batch_id)


@router.delete(
    "/{name}",
    status_code=202,
    summary="Delete a collection with its documents",
    responses=problems.responses(
        examples.NO_COLLECTION_HERE, examples.PRIVATE_CALLBACK, examples.DELETION_UNSENT
    ),
)
async def delete_collection(
    name: str, services: ServicesDep, tenant: TenantDep, callback_url: CallbackDep
) -> TaskAccepted:
    """From the reply on its documents answer nothing; their parts are removed by a task.

    The collection `default` is emptied and stays.
    """

    def write(connection: Connection) -> str:
        moment = now()
        collection_id = collections.delete(connection, tenant, name, moment)
        which = removals.of_collection(collection_id, moment)
        return removals.add(connection, tenant, callback_url, **which)

    return await start_removal(services, await services.write(write))
