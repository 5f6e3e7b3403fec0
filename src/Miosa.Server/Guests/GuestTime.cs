namespace Miosa.Server.Guests;

/// <summary>A time that a guest tells. It may claim any; the wire has years 1 to 9999.</summary>
internal static class GuestTime
{
    public static DateTimeOffset Of(long unixMs) => DateTimeOffset.FromUnixTimeMilliseconds(Math.Clamp(unixMs, -62_135_596_800_000, 253_402_300_799_000));
}
