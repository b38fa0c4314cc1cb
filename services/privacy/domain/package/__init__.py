"""The package that answers a request for access (LGPD art. 19 II, GDPR art. 15): its shape, its words and its pages."""
