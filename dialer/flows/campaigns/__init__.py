"""What people do with campaigns: create, edit, fill, run, stop, look at. Each flow owns its transactions and their locks."""
