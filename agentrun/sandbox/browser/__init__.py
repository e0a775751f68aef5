"""The browser of a sandbox: Chromium, spoken to over the DevTools protocol."""

from agentrun.sandbox.browser.browser import Browser, Download, Page
from agentrun.sandbox.browser.chromium import Client
from agentrun.sandbox.browser.recordings import Recording
from agentrun.sandbox.browser.tab import Element, Reading, Visit

__all__ = ["Browser", "Client", "Download", "Element", "Page", "Reading", "Recording", "Visit"]
