// Preloaded in what the bench runs: it ends with the bench, however that ends.

process.once('disconnect', () => process.exit(1));
// Listening alone would keep it alive for as long as the bench.
process.channel?.unref();
