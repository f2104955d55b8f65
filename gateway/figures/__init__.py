"""What a gateway shows to a Prometheus: read from where it is counted, and added up over its workers."""
