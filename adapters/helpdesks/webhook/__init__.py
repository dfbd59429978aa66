"""CloudEvents 1.0 as signed webhooks: for partners that speak them, and between two Ticket Ledgers."""
