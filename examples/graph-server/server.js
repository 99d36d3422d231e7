// A server for clients of Microsoft Graph: it says who is asking and hands
// every request to activityfeed.graph_request, which knows the rest.
//
// The database comes from PGHOST, PGDATABASE and so on, what else there is to
// set from the variables below.  TOKENS names a JSON file that maps bearer
// tokens to principals: a real server would verify the tokens of its identity
// provider in principalOf().
'use strict';

const { createHash, randomUUID } = require('node:crypto');
const { readFileSync } = require('node:fs');
const https = require('node:https');
const { DatabaseError, Pool } = require('pg');

const { HOST = 'localhost', PORT = '8443', TLS_KEY = 'key.pem', TLS_CERT = 'cert.pem', TOKENS = 'tokens.json' } = process.env;
const MAX_BODY = 16 * 1024 * 1024;
const RETRY_AFTER = '1';

// The call is in FROM: (f(...)).* would call f once for each column.  The body
// stays text, for JavaScript would round its numbers.
const REQUEST = {
	name: 'graph_request',
	text: `SELECT status, location, body::text AS body
		FROM activityfeed.graph_request($1, $2, $3, $4, $5)`,
};

// An answer that is given before the database is asked.
class Refusal extends Error {
	constructor(status, code, message, headers = {}) {
		super(message);
		Object.assign(this, { status, code, headers });
	}
}

// Tokens are compared by their digests: how long it takes says nothing.
const digest = (token) => createHash('sha256').update(token).digest('hex');

const principals = new Map(
	Object.entries(JSON.parse(readFileSync(TOKENS, 'utf8'))).map(([token, principal]) => [digest(token), principal]));

// The user and the app of a request.  External activities belong to no user:
// only who is trusted with them may POST.
function principalOf(request) {
	const [, token] = /^Bearer +(\S+) *$/i.exec(request.headers.authorization ?? '') ?? [];
	const principal = token && principals.get(digest(token));

	if (!principal) {
		throw new Refusal(401, 'InvalidAuthenticationToken', 'The request needs a valid bearer token.',
			{ 'WWW-Authenticate': 'Bearer' });
	}
	if (request.method === 'POST' && principal.external !== true) {
		throw new Refusal(403, 'accessDenied', 'The principal may not add external activities.');
	}
	return principal;
}

// The links of an answer begin as the target does: with this server's origin.
function targetOf(request) {
	const target = request.url.startsWith('/') ? `https://${request.headers.host}${request.url}` : request.url;

	if (!/^[\x21-\x7e]+$/.test(target)) {
		throw new Refusal(400, 'BadRequest', 'What is not ASCII in a URL must be percent-encoded.');
	}
	return target;
}

// The body as text, null where there is none.  One that is too long is read to
// its end, so that the client reads the answer, but not kept.
async function bodyOf(request) {
	const chunks = [];
	let length = 0;
	let text;

	for await (const chunk of request) {
		length += chunk.length;
		if (length <= MAX_BODY) chunks.push(chunk);
	}
	if (length > MAX_BODY) throw new Refusal(413, 'RequestTooLarge', `The body has more than ${MAX_BODY} bytes.`);
	try {
		text = new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
	} catch {
		throw new Refusal(400, 'BadRequest', 'The body is not UTF-8.');
	}
	// PostgreSQL's text holds no such character, nor does JSON
	if (text.includes('\0')) throw new Refusal(400, 'BadRequest', 'The body is not JSON.');
	return length > 0 ? text : null;
}

async function answerOf(request, pool) {
	const { user, app } = principalOf(request);
	const values = [user, app, request.method, targetOf(request), await bodyOf(request)];
	const { status, location, body } = (await pool.query({ ...REQUEST, values })).rows[0];

	return { status, body, headers: location === null ? {} : { Location: location } };
}

// Whether the client should send the request again.  One that was rolled back
// or never sent: yes.  When the connection is lost nobody knows whether it was
// carried out: to PUT, GET or DELETE twice does no harm, a POST would add twice.
function isTemporary(error, method) {
	const code = error instanceof DatabaseError ? error.code : '08006';

	return /^(40001|40P01|53300|57P03)$/.test(code) || error.syscall === 'connect' ||
		(/^(08|57P)/.test(code) && method !== 'POST');
}

// What went wrong is for the log: the client gets the id to find it by.
function answerToError(error, request, id) {
	const failure = (status, code, message, headers = {}) => ({
		status,
		headers,
		body: JSON.stringify({ error: { code, message, innerError: { 'request-id': id, date: new Date().toISOString() } } }),
	});

	if (error instanceof Refusal) return failure(error.status, error.code, error.message, error.headers);
	console.error(`${id} ${request.method}: ${error.code ?? ''} ${error.message}`);
	return isTemporary(error, request.method)
		? failure(503, 'serviceNotAvailable', 'Send the request again later.', { 'Retry-After': RETRY_AFTER })
		: failure(500, 'generalException', 'The request could not be carried out.');
}

function main() {
	const pool = new Pool({ application_name: 'graph-server', connectionTimeoutMillis: 10000, statement_timeout: 30000 });
	const server = https.createServer({ key: readFileSync(TLS_KEY), cert: readFileSync(TLS_CERT) });

	// a connection that nobody uses is lost: the pool makes another
	pool.on('error', (error) => console.error(`connection lost: ${error.message}`));
	server.on('request', async (request, response) => {
		const id = randomUUID();
		const answer = await answerOf(request, pool).catch((error) => answerToError(error, request, id));
		const type = answer.body === null ? {} : { 'Content-Type': 'application/json' };

		response.writeHead(answer.status, { ...answer.headers, ...type, 'request-id': id, 'Cache-Control': 'no-store' });
		response.end(answer.body);
	});
	server.listen(Number(PORT), HOST, () => console.log(`listening on https://${HOST}:${server.address().port}`));
	process.once('SIGTERM', () => server.close(() => pool.end()));
}

main();
