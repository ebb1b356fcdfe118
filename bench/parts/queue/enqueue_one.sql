SELECT metrics_refresh.enqueue('noop', '{"n": 123}');
