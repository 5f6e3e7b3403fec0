using Miosa.Platform;

namespace Miosa.Server.Tests;

public sealed class ListTests(ServerPlatform shared)
{
    [Fact]
    public async Task Lists_pages_and_filters_work_and_destroyed_ones_are_left_out()
    {
        using var api = await shared.Platform.NewApiAsync();
        var ids = new List<string>();
        for (var i = 0; i < 5; i++)
            ids.Add(await api.CreateAsync($$"""{"name":"n{{i}}","tags":["all","t{{i}}"],"external_user_id":"u{{i % 2}}","memory_mb":256}"""));
        (await api.DeleteAsync($"sandboxes/{ids[4]}")).Expect(200);

        // Newest first, and all of them when nothing about pages is said.
        Assert.Equal(["n3", "n2", "n1", "n0"], await NamesAsync(api, ""));
        Assert.Equal(["n1", "n0"], await NamesAsync(api, "page=2&per_page=2"));
        Assert.Equal(["n3"], await NamesAsync(api, "per_page=1"));
        Assert.Equal(["n3"], await NamesAsync(api, "page_size=1"));
        Assert.Equal(["n3"], await NamesAsync(api, "limit=1"));
        Assert.Empty(await NamesAsync(api, "page=99&per_page=2"));
        Assert.Equal(["n2"], await NamesAsync(api, "name=n2"));
        Assert.Equal(["n3", "n1"], await NamesAsync(api, "external_user_id=u1"));
        Assert.Equal(["n0"], await NamesAsync(api, "tags=all,t0"));
        Assert.Equal(["n3", "n2", "n1", "n0"], await NamesAsync(api, "state=&name=&tags="));
        Assert.Equal(["n4"], await NamesAsync(api, "status=destroyed"));
        Assert.Equal(["n4", "n3", "n2", "n1", "n0"], await NamesAsync(api, "state=running,destroyed"));

        var page = (await api.GetAsync("sandboxes?page=1&per_page=3")).Json;
        Assert.Equal("""{"total":4,"page":1,"per_page":3,"total_pages":2,"has_next":true}""", page.GetProperty("meta").GetRawText());
        Assert.Equal("""{"page":1,"page_size":3,"total":4}""", page.GetProperty("page").GetRawText());

        foreach (var faulty in (string[])["per_page=101", "per_page=0", "page=0", "page=x", "state=flying"])
            Assert.Equal((faulty, 422), (faulty, (await api.GetAsync("sandboxes?" + faulty)).Status));
        foreach (var id in ids)
            await api.DeleteAsync($"sandboxes/{id}");
    }

    private static async Task<List<string?>> NamesAsync(Api api, string query) =>
        [.. (await api.GetAsync("sandboxes?" + query)).Expect(200).Json.GetProperty("data").EnumerateArray().Select(s => s.GetProperty("name").GetString())];
}
