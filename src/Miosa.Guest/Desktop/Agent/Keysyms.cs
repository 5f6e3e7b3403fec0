using System.Text;

namespace Miosa.Guest.Desktop.Agent;

/// <summary>The names of keys: the contract's words, and X11's own for everything else a keyboard has.</summary>
internal static class Keysyms
{
    public const uint Return = 0xff0d;
    public const uint Tab = 0xff09;
    public const uint Shift = 0xffe1;
    public const uint CapsLock = 0xffe5;

    private const uint Unicode = 0x0100_0000;
    private const uint FirstFunctionKey = 0xffbe;
    private const int MostFunctionKeys = 35;

    private static readonly Dictionary<string, uint> s_names = new(StringComparer.OrdinalIgnoreCase)
    {
        // Modifiers.
        ["ctrl"] = 0xffe3, ["control"] = 0xffe3, ["control_l"] = 0xffe3, ["control_r"] = 0xffe4,
        ["shift"] = Shift, ["shift_l"] = Shift, ["shift_r"] = 0xffe2,
        ["alt"] = 0xffe9, ["alt_l"] = 0xffe9, ["alt_r"] = 0xffea, ["option"] = 0xffe9, ["altgr"] = 0xfe03, ["iso_level3_shift"] = 0xfe03,
        ["super"] = 0xffeb, ["super_l"] = 0xffeb, ["super_r"] = 0xffec, ["win"] = 0xffeb, ["windows"] = 0xffeb, ["meta"] = 0xffeb,
        ["cmd"] = 0xffeb, ["command"] = 0xffeb, ["meta_l"] = 0xffe7, ["meta_r"] = 0xffe8, ["hyper_l"] = 0xffed, ["hyper_r"] = 0xffee,
        // Named keys.
        ["return"] = Return, ["enter"] = Return, ["kp_enter"] = 0xff8d,
        ["escape"] = 0xff1b, ["esc"] = 0xff1b,
        ["tab"] = Tab, ["iso_left_tab"] = 0xfe20,
        ["backspace"] = 0xff08,
        ["delete"] = 0xffff, ["del"] = 0xffff,
        ["insert"] = 0xff63, ["ins"] = 0xff63,
        ["space"] = 0x20,
        ["up"] = 0xff52, ["arrowup"] = 0xff52, ["down"] = 0xff54, ["arrowdown"] = 0xff54,
        ["left"] = 0xff51, ["arrowleft"] = 0xff51, ["right"] = 0xff53, ["arrowright"] = 0xff53,
        ["home"] = 0xff50, ["end"] = 0xff57,
        ["page_up"] = 0xff55, ["pageup"] = 0xff55, ["prior"] = 0xff55,
        ["page_down"] = 0xff56, ["pagedown"] = 0xff56, ["next"] = 0xff56,
        ["caps_lock"] = CapsLock, ["capslock"] = CapsLock, ["num_lock"] = 0xff7f, ["numlock"] = 0xff7f, ["scroll_lock"] = 0xff14,
        ["print"] = 0xff61, ["printscreen"] = 0xff61, ["sys_req"] = 0xff15, ["pause"] = 0xff13, ["break"] = 0xff6b,
        ["menu"] = 0xff67, ["help"] = 0xff6a, ["undo"] = 0xff65, ["redo"] = 0xff66, ["find"] = 0xff68, ["cancel"] = 0xff69,
        ["select"] = 0xff60, ["execute"] = 0xff62, ["clear"] = 0xff0b, ["linefeed"] = 0xff0a, ["begin"] = 0xff58, ["mode_switch"] = 0xff7e,
        ["multi_key"] = 0xff20,
        // The number pad.
        ["kp_space"] = 0xff80, ["kp_tab"] = 0xff89, ["kp_home"] = 0xff95, ["kp_left"] = 0xff96, ["kp_up"] = 0xff97, ["kp_right"] = 0xff98,
        ["kp_down"] = 0xff99, ["kp_prior"] = 0xff9a, ["kp_page_up"] = 0xff9a, ["kp_next"] = 0xff9b, ["kp_page_down"] = 0xff9b, ["kp_end"] = 0xff9c,
        ["kp_begin"] = 0xff9d, ["kp_insert"] = 0xff9e, ["kp_delete"] = 0xff9f, ["kp_equal"] = 0xffbd, ["kp_multiply"] = 0xffaa, ["kp_add"] = 0xffab,
        ["kp_separator"] = 0xffac, ["kp_subtract"] = 0xffad, ["kp_decimal"] = 0xffae, ["kp_divide"] = 0xffaf,
        ["kp_0"] = 0xffb0, ["kp_1"] = 0xffb1, ["kp_2"] = 0xffb2, ["kp_3"] = 0xffb3, ["kp_4"] = 0xffb4,
        ["kp_5"] = 0xffb5, ["kp_6"] = 0xffb6, ["kp_7"] = 0xffb7, ["kp_8"] = 0xffb8, ["kp_9"] = 0xffb9,
        // Signs by their names.
        ["plus"] = '+', ["minus"] = '-', ["comma"] = ',', ["period"] = '.', ["slash"] = '/', ["backslash"] = '\\', ["equal"] = '=',
        ["underscore"] = '_', ["semicolon"] = ';', ["colon"] = ':', ["apostrophe"] = '\'', ["quoteright"] = '\'', ["quotedbl"] = '"',
        ["grave"] = '`', ["quoteleft"] = '`', ["asciitilde"] = '~', ["asciicircum"] = '^', ["exclam"] = '!', ["at"] = '@', ["numbersign"] = '#',
        ["dollar"] = '$', ["percent"] = '%', ["ampersand"] = '&', ["asterisk"] = '*', ["parenleft"] = '(', ["parenright"] = ')',
        ["bracketleft"] = '[', ["bracketright"] = ']', ["braceleft"] = '{', ["braceright"] = '}', ["bar"] = '|', ["less"] = '<',
        ["greater"] = '>', ["question"] = '?', ["sterling"] = 0xa3, ["section"] = 0xa7, ["degree"] = 0xb0, ["eurosign"] = 0x20ac,
        // Dead keys and keys of multimedia keyboards.
        ["dead_grave"] = 0xfe50, ["dead_acute"] = 0xfe51, ["dead_circumflex"] = 0xfe52, ["dead_tilde"] = 0xfe53, ["dead_diaeresis"] = 0xfe57,
        ["xf86audiolowervolume"] = 0x1008ff11, ["xf86audiomute"] = 0x1008ff12, ["xf86audioraisevolume"] = 0x1008ff13, ["xf86audioplay"] = 0x1008ff14,
        ["xf86audiostop"] = 0x1008ff15, ["xf86audioprev"] = 0x1008ff16, ["xf86audionext"] = 0x1008ff17, ["xf86homepage"] = 0x1008ff18,
        ["xf86mail"] = 0x1008ff19, ["xf86search"] = 0x1008ff1b, ["xf86calculator"] = 0x1008ff1d, ["xf86back"] = 0x1008ff26,
        ["xf86forward"] = 0x1008ff27, ["xf86stop"] = 0x1008ff28, ["xf86refresh"] = 0x1008ff29, ["xf86explorer"] = 0x1008ff5d,
        ["xf86reload"] = 0x1008ff73, ["xf86cut"] = 0x1008ff58, ["xf86copy"] = 0x1008ff57, ["xf86paste"] = 0x1008ff6d,
    };

    /// <summary>What a key of that name means; null when there is none. A single character stands for itself.</summary>
    public static uint? Find(string name)
    {
        if (Rune.TryGetRuneAt(name, 0, out var only) && only.Utf16SequenceLength == name.Length)
            return OfText(only.Value);
        if (s_names.TryGetValue(name, out var keysym))
            return keysym;
        if (name[0] is 'F' or 'f' && int.TryParse(name.AsSpan(1), System.Globalization.NumberStyles.None, null, out var number)
            && number is >= 1 and <= MostFunctionKeys && name[1] != '0')
            return FirstFunctionKey + (uint)number - 1;
        // A character by its number, as X11 names it: U20AC.
        if (name[0] is 'U' or 'u' && name.Length is >= 5 and <= 7
            && int.TryParse(name.AsSpan(1), System.Globalization.NumberStyles.AllowHexSpecifier, null, out var code) && Rune.IsValid(code))
            return OfText(code);
        return null;
    }

    /// <summary>What a character of a text is typed as; null for one that no key is.</summary>
    public static uint? OfText(int character) => character switch
    {
        '\n' or '\r' => Return,
        '\t' => Tab,
        '\b' => 0xff08,
        0x1b => 0xff1b,
        0x7f => 0xffff,
        < 0x20 or (>= 0x80 and < 0xa0) => null,
        < 0x100 => (uint)character,
        _ => Unicode + (uint)character,
    };

    /// <summary>Keys of multimedia keyboards and the server's own: a machine has nobody who presses them.</summary>
    public static bool IsSpare(uint keysym) => (keysym & 0xffff_0000) is 0x1008_0000 or 0x1005_0000;
}
