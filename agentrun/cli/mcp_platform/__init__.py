"""The platform as tools of a coding agent: CloudBase's names, arguments and answers, over what this platform does."""
