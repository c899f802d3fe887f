"""Tries the method of measuring itself: false verdicts, planted slow-downs, overhead of the agent."""
