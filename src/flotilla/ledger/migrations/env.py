"""Alembic's environment: migrations run inside the transaction that the caller opened."""

from alembic import context

from flotilla.ledger.tables import Table

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Table.metadata,
    compare_type=True,
    transactional_ddl=False,  # the caller's transaction is the one
)
context.run_migrations()
