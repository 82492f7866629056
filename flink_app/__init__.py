"""Topology, configuration and entry points of the web-log stream processor."""
