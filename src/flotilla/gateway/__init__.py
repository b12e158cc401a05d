"""The gateway: validates, stores, enqueues, awaits. The work is done by the fleets."""
