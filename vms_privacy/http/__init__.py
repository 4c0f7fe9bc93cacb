"""The HTTP face of the ground: problems, health, and the routes of the ledgers, which must stay below `auth`."""
