"""ThingsBoard's device HTTP API, `/api/v1/{token}/…`."""
