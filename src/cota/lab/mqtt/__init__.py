"""ThingsBoard's MQTT device API, versions 3.1, 3.1.1 and 5: another door to what the HTTP device API does."""
