"""The rehearsal: its plan, its clients, and whole evenings against real servers."""
