"""The commands that deploy agents and look after them; each is a client of a platform's control API."""
