"""ThingsBoard's REST API for administrators."""
