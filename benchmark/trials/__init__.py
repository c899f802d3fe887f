"""Tests the measuring method itself: false verdicts, planted slow-downs, overhead of the agent."""
