"""The worker: claims what is due and runs its flow, phase by phase."""
