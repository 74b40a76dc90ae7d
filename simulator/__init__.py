"""OCI on localhost: instance pools, work requests and Monitoring over HTTP, with faults."""
