// What tests/clients/test_node.py has started and made.

export const { TACIT_URL: url, PASSWORD: password, CLIENT_ID: clientId, CLIENT_SECRET: clientSecret } = process.env;

export const issuer = new URL(url);

export const me = (token) => fetch(`${url}/me`, { headers: { Authorization: `Bearer ${token}` } });

// Eight at once.
export const atOnce = (work) => Promise.all(Array.from({ length: 8 }, work));
