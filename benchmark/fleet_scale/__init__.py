"""What a head costs: thousands of simulated phones and jobs against the scheduler, its ledger and the store."""
