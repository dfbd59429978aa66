"""GGUS's SOAP interface (``urn:GGUS``): what old clients call, answered by us."""
