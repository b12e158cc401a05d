"""The fleet `default`: finish, fail, purge, beat's tasks and the fleets' smoke tests."""
