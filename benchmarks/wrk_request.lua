-- wrk's request, made from BENCH_*: a body, headers, a new key for each request where there are many.
local body = os.getenv("BENCH_BODY") or ""
local path = os.getenv("BENCH_PATH") or "/"
local keys = {}
local extra = os.getenv("BENCH_HEADERS") or ""
local pause = tonumber(os.getenv("BENCH_PAUSE_MS") or "0")
local requests, at = {}, 0

local function build(key)
    local headers = { ["Content-Type"] = "application/json" }
    if key then headers["Authorization"] = "Bearer " .. key end
    for name, value in extra:gmatch("([^:\n]+): ([^\n]+)") do headers[name] = value end
    return wrk.format("POST", path, headers, body)
end

function init(args)
    local file = os.getenv("BENCH_KEYS")
    if file then
        for line in io.lines(file) do keys[#keys + 1] = line end
    end
    if #keys <= 1000 then
        for index, key in ipairs(keys) do requests[index] = build(key) end
        if #keys == 0 then requests[1] = build(nil) end
    end
end

function request()
    if #requests > 0 then
        at = at % #requests + 1
        return requests[at]
    end
    return build(keys[math.random(#keys)])
end

if pause > 0 then
    function delay() return math.floor(math.random() * 2 * pause + 0.5) end
end

function done(summary, latency, _)
    local errors = summary.errors
    io.write(string.format(
        '\nRESULT {"requests": %d, "seconds": %.6f, "p50": %.4f, "p90": %.4f, "p99": %.4f, "max": %.4f, ' ..
        '"connect": %d, "read": %d, "write": %d, "timeout": %d, "status": %d}\n',
        summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(90) / 1e3,
        latency:percentile(99) / 1e3, latency.max / 1e3,
        errors.connect, errors.read, errors.write, errors.timeout, errors.status))
end
