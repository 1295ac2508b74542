/* A worker that posts a message at the interval in milliseconds that it is sent. play.js uses
it, because browsers slow the timers of hidden pages but not those of workers. */
addEventListener("message", ({ data }) => setInterval(() => postMessage(null), data), { once: true });
