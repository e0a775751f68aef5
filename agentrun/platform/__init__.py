"""The platform: from s.yaml to versions, endpoints and instances on one machine."""
