// Two scenarios against Tidemark's own API; what it asks for and is not there fails, so that failures are told too.
import http from "k6/http";
import { check, group, sleep } from "k6";

const api = __ENV.TARGET;

export const options = {
  scenarios: {
    browse: { executor: "constant-vus", exec: "browse", vus: 2, duration: "20s", gracefulStop: "5s" },
    search: { executor: "constant-arrival-rate", exec: "search", rate: 4, timeUnit: "1s", duration: "20s", preAllocatedVUs: 1, maxVUs: 1, gracefulStop: "5s" },
  },
};

export function browse() {
  group("services", () => {
    check(http.get(`${api}/api/v1/services`), { "services are listed": (r) => r.status === 200 });
  });
  sleep(0.4);
}

export function search() {
  check(http.get(`${api}/api/v1/traces?q=status:error`, { tags: { name: "search" } }), { found: (r) => r.status === 200 });
  check(http.get(`${api}/api/v1/nowhere`, { tags: { name: "nowhere" } }), { "is there": (r) => r.status === 200 });
  sleep(0.3); // so that the arrival rate is not reached, and iterations are dropped
}
