"""The demo's list dialled through every adapter: real processes, and the adapter's fake in a process of its own."""
