-- wrk -s load.lua URL -- hot|random|new path file number
--
-- hot:     the first token of the file, on each request
-- random:  one of its tokens, at random
-- new:     the first one, with a number in place of its last characters, that
--          counts up from "number": the token is new to the edge

-- LuaJIT hashes a few bytes of a long string: in this order they are of the
-- token, so that ten thousand requests do not share a hash

local function format(path, token)
    return "GET " .. path .. " HTTP/1.1\r\nHost: bench.example\r\n"
           .. "Authorization: Bearer " .. token .. "\r\n\r\n"
end


function init(args)
    local mode, path, file, number = args[1], args[2], args[3], args[4]
    local requests = {}

    wrk.headers["Host"] = "bench.example"

    for token in io.lines(file) do
        requests[#requests + 1] = format(path, token)

        if mode ~= "random" then
            break
        end
    end

    if mode == "hot" then
        request = function() return requests[1] end
        return
    end

    if mode == "random" then
        local n = #requests

        request = function() return requests[math.random(n)] end
        return
    end

    local head, tail = requests[1]:match(
                           "^(.*Bearer %S+)" .. ("[%w_-]"):rep(10)
                           .. "(\r\n.*)$")
    local n = tonumber(number)

    request = function()
        n = n + 1
        return head .. string.format("%010d", n) .. tail
    end
end


function done(summary, latency)
    local errors = summary.errors

    io.write(string.format("result %d %d %d %.3f %.3f\n", summary.requests,
                           errors.connect + errors.read + errors.write
                           + errors.timeout,
                           errors.status, latency:percentile(50) / 1000,
                           latency:percentile(99) / 1000))
end
