"""The fields of GGUS (``GHD_...``), which its partners write in mails and in SOAP calls alike."""
