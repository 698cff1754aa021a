"""The seeded world: the real engine on a real database, with time, chance and the provider in one hand."""
