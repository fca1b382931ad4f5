"""Campaigns too long for every test run: each makes one fault or load happen many times and fails at the first lie."""
