"""What the suites share: the gateway under test, clients, the runner."""
