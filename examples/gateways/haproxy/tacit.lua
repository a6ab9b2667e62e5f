-- Asks Tacit about a request, and takes our cookies out of what goes to the API. Needs HAProxy 2.6 or newer.

local tacit = os.getenv("TACIT_INTERNAL")

-- What of a request goes along: what signs it in, and what tells a page from a script.
local asked = {
	"authorization", "cookie", "origin", "user-agent", "accept", "upgrade", "purpose", "sec-purpose", "sec-fetch-mode",
	"sec-fetch-site", "sec-fetch-dest", "sec-websocket-key", "sec-websocket-version", "x-requested-with", "x-request-id",
	"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-method", "x-forwarded-uri",
}
local identity = { "authorization", "x-auth-user-id", "x-auth-username", "x-auth-roles", "x-auth-session" }
-- What of a refusal goes to the browser.
local passed = { "set-cookie", "location", "www-authenticate", "cache-control", "vary", "content-type", "retry-after", "x-request-id" }

-- HAProxy counts a header's values from 0.
local function each(values)
	local list, position = {}, 0
	while values ~= nil and values[position] ~= nil do
		list[#list + 1] = values[position]
		position = position + 1
	end
	return list
end

local function answer(txn, status, headers, body)
	local reply = txn:reply({ status = status })
	for _, name in ipairs(passed) do
		for _, value in ipairs(each(headers[name])) do
			reply:add_header(name, value)
		end
	end
	reply:set_body(body or "")
	txn:done(reply)
end

core.register_action("tacit_ask", { "http-req" }, function(txn, mount)
	local request, headers = txn.http:req_get_headers(), {}
	for _, name in ipairs(asked) do
		local values = each(request[name])
		if #values > 0 then
			headers[name] = values
		end
	end
	local response = core.httpclient():get({ url = "http://" .. tacit .. mount, headers = headers, timeout = 10000 })
	if response == nil or response.status == nil or response.status == 0 then
		return answer(txn, 503, {})
	end
	if response.status ~= 200 then
		return answer(txn, response.status, response.headers, response.body)
	end
	for _, name in ipairs(identity) do
		txn.http:req_set_header(name, each(response.headers[name])[1] or "")
	end
	for position, cookie in ipairs(each(response.headers["set-cookie"])) do
		txn:set_var("txn.cookie_" .. position, cookie)
	end
end, 1)

core.register_action("tacit_strip", { "http-req" }, function(txn)
	local kept, had = {}, false
	for _, line in ipairs(each(txn.http:req_get_headers()["cookie"])) do
		had = true
		for pair in line:gmatch("[^;]+") do
			pair = pair:match("^%s*(.-)%s*$")
			local name = pair:match("^(.-)%s*=") or pair
			local plain = name:gsub("^__Host%-Http%-", "")
			if plain ~= "tacit-access" and plain ~= "tacit-refresh" and plain ~= "tacit-device" and pair ~= "" then
				kept[#kept + 1] = pair
			end
		end
	end
	if had then
		txn.http:req_del_header("cookie")
	end
	if #kept > 0 then
		txn.http:req_add_header("cookie", table.concat(kept, "; "))
	end
end)
