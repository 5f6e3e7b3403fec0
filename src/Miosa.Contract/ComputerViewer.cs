namespace Miosa;

/// <summary>How to reach the live desktop with a viewer: RFB, through a WebSocket of the server.</summary>
public sealed record ComputerVncCredentials
{
    /// <summary>The computer.</summary>
    public string? ComputerId { get; init; }

    /// <summary>The server's host: the desktop has no port of its own.</summary>
    public required string Host { get; init; }

    /// <summary>The server's port.</summary>
    public required int Port { get; init; }

    /// <summary>Empty: the desktop knows one user.</summary>
    public string? Username { get; init; }

    /// <summary>What opens it: a stream token, already part of <see cref="Url"/> and <see cref="WsUrl"/>.</summary>
    public required string Password { get; init; }

    /// <summary><c>rfb</c>, over a WebSocket.</summary>
    public string? Protocol { get; init; }

    /// <summary>The page that shows the desktop in a browser.</summary>
    public required string Url { get; init; }

    /// <summary>Same as <see cref="Url"/>.</summary>
    public string? VncUrl { get; init; }

    /// <summary>RFB over WebSocket, for viewers such as noVNC.</summary>
    public string? WsUrl { get; init; }

    /// <summary>When <see cref="Password"/> ends.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }
}

/// <summary>A ticket for the live desktop. It can be used until it ends; it ends early with the computer and with the key that made it.</summary>
public sealed record ComputerStreamToken
{
    /// <summary>The ticket, <c>mst_…</c>.</summary>
    public required string Token { get; init; }

    /// <summary>The page that shows the desktop, for a browser or an iframe; the ticket is in it.</summary>
    public required string Url { get; init; }

    /// <summary>RFB over WebSocket; the ticket is in it.</summary>
    public string? WsUrl { get; init; }

    /// <summary><c>rfb</c>.</summary>
    public string? Protocol { get; init; }

    /// <summary>Whoever has it may look and not touch.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>Seconds that it is good for.</summary>
    public int ExpiresIn { get; init; }

    /// <summary>When it ends.</summary>
    public required DateTimeOffset ExpiresAt { get; init; }
}

/// <summary>An address of the live desktop for a page that shows it in a frame.</summary>
public sealed record ComputerEmbed
{
    /// <summary>The page, with a token: one that may control when the key may, and is not asked for looking on only.</summary>
    public required string EmbedUrl { get; init; }

    /// <summary>The page without a token: it asks for the viewer password.</summary>
    public string? DesktopUrl { get; init; }

    /// <summary>How it is authorised.</summary>
    public required ComputerEmbedAuth Auth { get; init; }

    /// <summary>When the token ends.</summary>
    public DateTimeOffset? ExpiresAt { get; init; }
}

/// <summary>How <see cref="ComputerEmbed.EmbedUrl"/> is authorised.</summary>
public sealed record ComputerEmbedAuth
{
    /// <summary>Always false: the address has its token in it.</summary>
    public bool PasswordRequired { get; init; }
}

/// <summary>Whether the viewer page can be opened with a password.</summary>
public sealed record ComputerViewerPassword
{
    /// <summary>The computer.</summary>
    public string? ComputerId { get; init; }

    /// <summary>There is one.</summary>
    public required bool PasswordSet { get; init; }

    /// <summary>Same as <see cref="PasswordSet"/>.</summary>
    public required bool ViewerPasswordSet { get; init; }

    /// <summary>Since when.</summary>
    public DateTimeOffset? PasswordSetAt { get; init; }

    /// <summary>Same as <see cref="PasswordSetAt"/>.</summary>
    public DateTimeOffset? ViewerPasswordSetAt { get; init; }

    /// <summary>When it was last replaced; null when it never was.</summary>
    public DateTimeOffset? RotatedAt { get; init; }
}

/// <summary>A new viewer password, told this once.</summary>
public sealed record ComputerViewerPasswordRotation
{
    /// <summary>The computer.</summary>
    public string? ComputerId { get; init; }

    /// <summary>The password.</summary>
    public required string ViewerPassword { get; init; }

    /// <summary>Same as <see cref="ViewerPassword"/>.</summary>
    public required string Password { get; init; }

    /// <summary>Always true.</summary>
    public required bool PasswordSet { get; init; }

    /// <summary>Same as <see cref="PasswordSet"/>.</summary>
    public required bool ViewerPasswordSet { get; init; }

    /// <summary>Since when.</summary>
    public DateTimeOffset? PasswordSetAt { get; init; }

    /// <summary>Same as <see cref="PasswordSetAt"/>.</summary>
    public DateTimeOffset? ViewerPasswordSetAt { get; init; }

    /// <summary>Same as <see cref="PasswordSetAt"/>.</summary>
    public DateTimeOffset? RotatedAt { get; init; }
}

/// <summary>What a stream token is to be; everything is optional.</summary>
internal sealed record ComputerStreamTokenRequest
{
    public int? ExpiresIn { get; init; }
    public bool? ReadOnly { get; init; }
}
