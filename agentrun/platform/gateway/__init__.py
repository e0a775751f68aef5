"""Gateway: the data plane. Public addresses in, instances out; no protocol is parsed on the way."""
