"""The audit journal: who changed what, where, when, and what came of it."""
