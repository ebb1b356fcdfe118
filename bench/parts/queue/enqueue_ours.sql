SELECT count(*) FROM payload, metrics_refresh.enqueue_many('noop', list);
