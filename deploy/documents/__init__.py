"""The documents that are derived from the code: the API, the events with an example of each, and the event map."""
