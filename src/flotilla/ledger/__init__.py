"""The ledger: tenants, collections, documents, versions and jobs in SQL. It decides."""
