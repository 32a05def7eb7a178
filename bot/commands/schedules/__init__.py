"""What comes at fixed times: dashboards that are edited in place, digests, and the list of all that tells something."""
