namespace Miosa.Examples.Agent;

/// <summary>Two pages that need no network: a form, and the answer to it.</summary>
internal static class TravelSite
{
    public const string Form = $$"""
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><title>Small trips</title>{{Style}}</head>
        <body><main>
          <h1>Where shall we take you?</h1>
          <form action="/booked.html">
            <label for="name">Your name</label><input id="name" name="name" autocomplete="off" required>
            <label for="to">Where to</label><input id="to" name="to" autocomplete="off" required>
            <label class="line"><input type="checkbox" name="seat" value="window"> Window seat</label>
            <button>Book the trip</button>
          </form>
        </main></body></html>
        """;

    public const string Answer = $$"""
        <!doctype html>
        <html lang="en"><head><meta charset="utf-8"><title>Booked</title>{{Style}}</head>
        <body><main>
          <h1 id="answer"></h1>
          <p>Have a good journey.</p>
          <script>
            const given = new URLSearchParams(location.search);
            document.getElementById("answer").textContent =
              `Booked for ${given.get("name")}: ${given.get("to")}${given.get("seat") ? ", at the window" : ""}`;
          </script>
        </main></body></html>
        """;

    private const string Style = """
        <style>
          body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: linear-gradient(160deg, #1e3a5f, #f0a36b); font: 18px Inter, sans-serif; }
          main { background: #fff; border-radius: 14px; padding: 36px 44px; width: 460px; box-shadow: 0 18px 50px #0006; }
          h1 { margin: 0 0 22px; font-size: 28px; color: #1e3a5f; }
          label { display: block; margin: 14px 0 6px; color: #445; }
          input:not([type=checkbox]) { width: 100%; box-sizing: border-box; font: inherit; padding: 9px 12px; border: 1px solid #99a; border-radius: 8px; }
          .line { margin-top: 20px; }
          button { margin-top: 24px; font: inherit; color: #fff; background: #d9662b; border: 0; border-radius: 8px; padding: 12px 22px; }
        </style>
        """;
}
