export function sentence({ visits, since }) {
  return `${visits} since ${new Date(since).toLocaleTimeString()}`;
}
