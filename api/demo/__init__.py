"""``ticketledger demo``: one ticket through its whole life, over real mail, on a fresh log."""
